// SPDX-License-Identifier: Apache-2.0
using System;
using Segue.Rehearsal;

namespace UnityEngine
{
    public static class Application
    {
        public static string streamingAssetsPath => Stage.Main.StreamingAssets;
    }

    public partial struct Mathf
    {
        public static int Clamp(int value, int min, int max) => Math.Min(max, Math.Max(min, value));

        public static float Clamp01(float value) => Math.Min(1f, Math.Max(0f, value));
    }

    public static partial class Time
    {
        public static float realtimeSinceStartup => (float)Stage.Main.Now;

        public static int frameCount => Stage.Main.Frames;

        public static double realtimeSinceStartupAsDouble => Stage.Main.Now;
    }

    /// <summary>Any thread, as in Unity.</summary>
    public static class Debug
    {
        public static void Log(object message) => Stage.Current.Say("log", message, null);

        public static void Log(object message, Object context) => Stage.Current.Say("log", message, context);

        public static void LogWarning(object message) => Stage.Current.Say("warning", message, null);

        public static void LogWarning(object message, Object context) => Stage.Current.Say("warning", message, context);

        public static void LogError(object message) => Stage.Current.Say("error", message, null);

        public static void LogError(object message, Object context) => Stage.Current.Say("error", message, context);

        public static void LogException(Exception exception) => Stage.Current.Say("exception", exception, null);

        public static void LogException(Exception exception, Object context) => Stage.Current.Say("exception", exception, context);
    }
}

namespace UnityEngine.Events
{
    public delegate void UnityAction();

    public delegate void UnityAction<T0>(T0 arg0);

    public delegate void UnityAction<T0, T1>(T0 arg0, T1 arg1);

    public abstract class UnityEventBase { }

    public class UnityEvent : UnityEventBase
    {
        private UnityAction _calls;

        public void AddListener(UnityAction call) => _calls += call;

        public void RemoveListener(UnityAction call) => _calls -= call;

        public void Invoke() => _calls?.Invoke();
    }

    public class UnityEvent<T0> : UnityEventBase
    {
        private UnityAction<T0> _calls;

        public void AddListener(UnityAction<T0> call) => _calls += call;

        public void RemoveListener(UnityAction<T0> call) => _calls -= call;

        public void Invoke(T0 arg0) => _calls?.Invoke(arg0);
    }

    public class UnityEvent<T0, T1> : UnityEventBase
    {
        private UnityAction<T0, T1> _calls;

        public void AddListener(UnityAction<T0, T1> call) => _calls += call;

        public void RemoveListener(UnityAction<T0, T1> call) => _calls -= call;

        public void Invoke(T0 arg0, T1 arg1) => _calls?.Invoke(arg0, arg1);
    }
}
