// SPDX-License-Identifier: Apache-2.0
using System;
using Segue.Rehearsal;

namespace UnityEngine
{
    public sealed class AudioSource : Behaviour
    {
        internal volatile bool Sounds;
        internal volatile float Loudest;
        internal volatile float Last;
        internal volatile int Callbacks;

        public AudioClip clip { get; set; }

        public bool loop { get; set; }

        public float volume { get; set; } = 1f;

        public float spatialBlend { get; set; }

        public bool playOnAwake { get; set; } = true;

        public bool isPlaying => Stage.Main != null && Sounds;

        public void Play()
        {
            Stage.Main.Plays++;
            Sounds = true;
        }

        public void Stop()
        {
            if (Stage.Main != null) Sounds = false;
        }
    }

    public static class AudioSettings
    {
        public delegate void AudioConfigurationChangeHandler(bool deviceWasChanged);

        public static event AudioConfigurationChangeHandler OnAudioConfigurationChanged;

        public static int outputSampleRate => Stage.Main.Rate;

        public static void GetDSPBufferSize(out int bufferLength, out int numBuffers)
        {
            bufferLength = Stage.BufferLength;
            numBuffers = Stage.Main.Buffers;
        }

        internal static void Change() => OnAudioConfigurationChanged?.Invoke(true);

        internal static int Handlers => OnAudioConfigurationChanged?.GetInvocationList().Length ?? 0;
    }

    public enum AudioType
    {
        UNKNOWN = 0,
        AIFF = 2,
        MPEG = 13,
        OGGVORBIS = 14,
        WAV = 20,
    }

    public enum AudioDataLoadState
    {
        Unloaded,
        Loading,
        Loaded,
        Failed,
    }

    public sealed class AudioClip : Object
    {
        internal float[] Data = Array.Empty<float>();

        public int samples => Data.Length / channels;

        public int channels { get; internal set; } = 2;

        public int frequency { get; internal set; } = 48000;

        public AudioDataLoadState loadState => AudioDataLoadState.Loaded;

        public bool LoadAudioData() => true;

        public bool GetData(float[] data, int offsetSamples)
        {
            if (Stage.Main == null || IsDestroyed || offsetSamples * channels + data.Length > Data.Length) return false;
            Array.Copy(Data, offsetSamples * channels, data, 0, data.Length);
            return true;
        }
    }
}
