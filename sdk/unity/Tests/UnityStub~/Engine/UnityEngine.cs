// SPDX-License-Identifier: Apache-2.0
// Signatures of UnityEngine that Segue.Unity uses, so that it can be compiled where there is no Unity. Nothing here does anything.
using System;

namespace UnityEngine
{
    public class Object
    {
        public static bool operator ==(Object a, Object b) => ReferenceEquals(a, b);

        public static bool operator !=(Object a, Object b) => !ReferenceEquals(a, b);

        public override bool Equals(object other) => ReferenceEquals(this, other);

        public override int GetHashCode() => 0;
    }

    public class ScriptableObject : Object { }

    public class Component : Object
    {
        public T GetComponent<T>() => throw new NotSupportedException();
    }

    public class Behaviour : Component { }

    public class MonoBehaviour : Behaviour { }

    public sealed class AudioSource : Behaviour
    {
        public bool isPlaying => throw new NotSupportedException();

        public void Play() => throw new NotSupportedException();

        public void Stop() => throw new NotSupportedException();
    }

    public static class AudioSettings
    {
        public delegate void AudioConfigurationChangeHandler(bool deviceWasChanged);

        public static event AudioConfigurationChangeHandler OnAudioConfigurationChanged { add { } remove { } }

        public static int outputSampleRate => throw new NotSupportedException();

        public static void GetDSPBufferSize(out int bufferLength, out int numBuffers) => throw new NotSupportedException();
    }

    public static class Application
    {
        public static string streamingAssetsPath => throw new NotSupportedException();
    }

    public static class Time
    {
        public static float realtimeSinceStartup => throw new NotSupportedException();
    }

    public static class Debug
    {
        public static void LogWarning(object message, Object context) { }

        public static void LogError(object message, Object context) { }
    }

    public sealed class SerializeField : Attribute { }

    public sealed class DisallowMultipleComponent : Attribute { }

    public sealed class AddComponentMenu : Attribute
    {
        public AddComponentMenu(string menuName) { }
    }

    public sealed class RequireComponent : Attribute
    {
        public RequireComponent(Type requiredComponent) { }
    }

    public sealed class CreateAssetMenuAttribute : Attribute
    {
        public string menuName { get; set; }

        public string fileName { get; set; }
    }

    public sealed class TooltipAttribute : Attribute
    {
        public TooltipAttribute(string tooltip) { }
    }

    public sealed class HeaderAttribute : Attribute
    {
        public HeaderAttribute(string header) { }
    }

    public sealed class RangeAttribute : Attribute
    {
        public RangeAttribute(float min, float max) { }
    }

    /// <summary>There is one, and it is not ours.</summary>
    public sealed class Event { }
}

namespace UnityEngine.Events
{
    public class UnityEvent
    {
        public void Invoke() => throw new NotSupportedException();
    }

    public class UnityEvent<T0>
    {
        public void Invoke(T0 arg0) => throw new NotSupportedException();
    }
}
